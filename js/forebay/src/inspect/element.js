/** @param {string} name @param {Record<string, unknown>} [properties] @param {(Node | string)[]} children */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
