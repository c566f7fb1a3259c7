// The server's own client, which is served beside this script.
export { forebay } from "../script.js";
