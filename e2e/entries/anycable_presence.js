// AnyCable's client on its extended protocol, and its elements for Turbo's tags and for presence.
import "@hotwired/turbo";
import { start } from "@anycable/turbo-stream";
import { createCable } from "@anycable/web";

const cable = createCable({ protocol: "actioncable-v1-ext-json", logLevel: "error" });
start(cable, { presence: true });
window.cable = cable;
