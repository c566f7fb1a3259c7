// Turbo, and our own client as the server serves it.
import "@hotwired/turbo";
import { forebay } from "/forebay/forebay.js";

window.forebay = forebay;
