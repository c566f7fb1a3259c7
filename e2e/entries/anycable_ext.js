// AnyCable's client on its extended protocol, and its element for Turbo's tags.
import "@hotwired/turbo";
import { start } from "@anycable/turbo-stream";
import { createCable } from "@anycable/web";

const cable = createCable({ protocol: "actioncable-v1-ext-json", logLevel: "error" });
start(cable, { delayedUnsubscribe: false });
window.cable = cable;
