// What `<script type="module" src="/forebay/forebay.js">` runs.
import { start } from "./index.js";

export { start };
export const forebay = start();
