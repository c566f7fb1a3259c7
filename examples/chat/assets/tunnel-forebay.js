import "@hotwired/turbo";
import { forebay } from "/forebay/forebay.js";
import "./tunnel-count.js";

window.forebay = forebay;
