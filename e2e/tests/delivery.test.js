// From the handler's read to the subscribed page: nothing is missing, nothing is doubled, nothing is reloaded.

import { test } from "node:test";
import * as delivery from "../scenarios/delivery.js";
import { scenariosOf } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { roomFor } from "../support/room.js";

const browser = useBrowser();

for (const { name, run } of scenariosOf(delivery)) {
  test(name, async (t) => run(await roomFor(t, browser)));
}
