/**
 * Where the server is. All addresses follow from one: `forebay/…` is beside the cable, unless the page says otherwise (`forebay-url`)
 * or the script has come from the cable's server, which then is where the others are, too.
 *
 * @param {string} page
 * @param {string | null | undefined} cable as the page says it
 * @param {string | null | undefined} prefix likewise, as `forebay-url`
 * @param {string | undefined} script where the server's own script was loaded from
 */
export function addressesOf(page, cable, prefix, script) {
  const http = (/** @type {URL} */ url) => new URL(url.href.replace(/^ws/, "http"));
  const beside = script ? new URL("../cable", script) : new URL("/cable", page);
  const own = cable ? new URL(cable, page) : beside;
  // What no server can have says nothing of where the others are.
  const slashed = http(/^(ws|http)s?:/.test(own.href) ? own : beside);
  slashed.search = slashed.hash = "";
  slashed.pathname = slashed.pathname.replace(/\/+$/, "");
  const isScriptsServer = script && new URL(script).origin === slashed.origin;
  const said = prefix ? new URL(`${prefix.replace(/\/+$/, "")}/`, page) : undefined;
  const folder = said ?? (isScriptsServer ? new URL(".", script) : new URL("forebay/", slashed));
  return { cable: own.href, folder: folder.href };
}
