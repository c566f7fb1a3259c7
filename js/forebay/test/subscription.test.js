import assert from "node:assert/strict";
import { test } from "node:test";

import { Subscription } from "../src/subscription.js";

test("what the page was rendered with counts in its own log only: another one's entries begin low, and are shown", () => {
  const subscription = new Subscription("i", { epoch: "a", offset: 50 }, {});
  subscription.rendered = 50;
  subscription.rewind({ epoch: "a", offset: 40 });
  assert.equal(subscription.rendered, 50);
  subscription.rewind({ epoch: "b", offset: 1 });
  assert.equal(subscription.rendered, 0);
});
