// Reads the head of an HTTP message at the start of a byte stream: just enough to know whose connection this is.

/**
 * @typedef {object} HttpHead
 * @property {string} line the request or status line
 * @property {string} method empty for a response
 * @property {string} path with query; empty for a response
 * @property {number} status 0 for a request
 * @property {Record<string, string>} headers names in lower case
 * @property {number} length in bytes, blank line included
 */

/** @param {Buffer} bytes @returns {HttpHead | undefined} undefined while it is incomplete */
export function readHttpHead(bytes) {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [line, ...fields] = bytes.toString("latin1", 0, end).split("\r\n");
  const [first, second] = line.split(" ");
  const response = first.startsWith("HTTP/");
  return {
    line,
    method: response ? "" : first,
    path: response ? "" : (second ?? ""),
    status: response ? Number(second) : 0,
    headers: Object.fromEntries(fields.map(readField)),
    length: end + 4,
  };
}

function readField(field) {
  const colon = field.indexOf(":");
  return [field.slice(0, colon).trim().toLowerCase(), field.slice(colon + 1).trim()];
}

/** Whether this request or response is (or accepts) an upgrade to WebSocket. @param {HttpHead} head */
export function upgradesToWebSocket(head) {
  return (head.headers.upgrade ?? "").toLowerCase() === "websocket";
}
