// @anycable/web for pages that drive it by hand.
import { createCable } from "@anycable/web";

window.createCable = createCable;
