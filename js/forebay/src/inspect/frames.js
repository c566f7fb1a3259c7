/** Outlines of the page's frames, drawn over the page while somebody wants to see them. The frames themselves are left alone. */
import { element } from "./element.js";

/** Frames that are outlined at once. */
const FRAMES_MAX = 100;

export class Outlines {
  #layer = element("div", { className: "outlines" });
  #isOn = false;

  /** @param {ShadowRoot} root */
  constructor(root) {
    root.append(this.#layer);
  }

  /** @returns {boolean} whether they are shown now */
  toggle() {
    this.#isOn = !this.#isOn;
    this.#draw();
    return this.#isOn;
  }

  #draw() {
    if (!this.#isOn) return this.#layer.replaceChildren();
    const frames = [...document.querySelectorAll("turbo-frame")].slice(0, FRAMES_MAX);
    this.#layer.replaceChildren(...frames.map(outline));
    // Frames move with every scroll, and nobody announces it.
    requestAnimationFrame(() => this.#draw());
  }
}

/** @param {Element} frame */
function outline(frame) {
  const { left, top, width, height } = frame.getBoundingClientRect();
  const state = frame.hasAttribute("busy") ? "loading" : frame.hasAttribute("src") && !frame.hasAttribute("complete") ? "not loaded" : "";
  const label = element("span", {}, [`#${frame.id}`, state].filter(Boolean).join(" · "));
  const box = element("div", {}, label);
  Object.assign(box.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  return box;
}
