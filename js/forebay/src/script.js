// What `<script type="module" src="/forebay/forebay.js">` runs. Its own address says where the server is.
import { start } from "./index.js";

export { start };
export const forebay = start({ script: import.meta.url });
