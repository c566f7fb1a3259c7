// Turbo, and our own client as the server serves it: beside /assets, wherever that is.
import "@hotwired/turbo";
import { forebay } from "../forebay/forebay.js";

window.forebay = forebay;
