// What `<script type="module" src="/forebay/inspect.js">` runs, in development. Its own address says where the server is.
import { install } from "./panel.js";
import { Reports } from "./reports.js";
import { Watch } from "./watch.js";

const reports = new Reports(new URL("inspect/reports", import.meta.url).href);
const watch = new Watch(
  (change) => reports.add(change),
  () => panel.changed(),
);
const panel = install(watch, new URL("inspect", import.meta.url).href);
