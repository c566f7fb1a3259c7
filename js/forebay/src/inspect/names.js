/**
 * What a source tag's signed name says, in clear.
 *
 * It is `<base64 of JSON>--<mac>` as Rails' MessageVerifier writes it, and behind its first dot a cursor. Nothing is verified here:
 * the server does that.
 */

/** A record's part of a stream name begins so: base64 of `gid://`. */
const RECORD = "Z2lkOi8v";

/** @param {string} base64 in either alphabet */
function decode(base64) {
  const bytes = atob(base64.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}

/** The name as it was signed, without the cursor. @param {string} signed */
export const withoutCursor = (signed) => signed.split(".")[0];

/** What the tag was rendered with. No other page has it. @param {Element} tag */
export const cursorOf = (tag) => /\.(.*)/.exec(tag.getAttribute("signed-stream-name") ?? "")?.[1] ?? tag.getAttribute("data-cursor");

/** @param {string} signed @returns {string | null} null if it is nothing that was signed */
export function streamName(signed) {
  try {
    const said = JSON.parse(decode(withoutCursor(signed).split("--")[0]));
    const name = said._rails?.data ?? said;
    return typeof name === "string" ? name : null;
  } catch {
    return null;
  }
}

/** With its records in clear: `gid://chat/Room/1:messages`. @param {string} name */
export function readable(name) {
  const part = (/** @type {string} */ text) => {
    if (!text.startsWith(RECORD)) return text;
    try {
      return decode(text);
    } catch {
      return text;
    }
  };
  return name.split(":").map(part).join(":");
}
