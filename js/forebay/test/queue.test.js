import assert from "node:assert/strict";
import { test } from "node:test";

import { format, isBefore, parse } from "../src/position.js";
import { Queue } from "../src/queue.js";
import { Subscription } from "../src/subscription.js";

const at = (offset) => ({ epoch: "a", offset });
const subscriptionAt = (offset) => new Subscription("i", at(offset), {});
const offsets = (queue) => {
  const taken = [];
  for (let item; (item = queue.next()); ) taken.push(item.offset);
  return taken;
};

test("positions are read as cursors begin, and compared within an epoch only", () => {
  assert.deepEqual(parse("c0ffee.42"), { epoch: "c0ffee", offset: 42 });
  assert.deepEqual(parse("c0ffee.42.1f.AAAA-_AAAAAAAAAA"), { epoch: "c0ffee", offset: 42 });
  for (const text of ["", "x.1", "1.", "1.x", ".1", "1.1x", "1", null, undefined]) assert.equal(parse(text), null);
  assert.equal(format(at(7)), "a.7");
  assert.ok(isBefore(at(1), at(2)));
  assert.ok(!isBefore(at(2), at(2)));
  assert.ok(!isBefore({ epoch: "b", offset: 1 }, at(2)));
});

test("an entry is taken once, and one that begins too late is a gap", () => {
  const queue = new Queue();
  const subscription = subscriptionAt(5);
  assert.equal(queue.take(subscription, { o: 7, p: 5 }), "taken");
  assert.equal(queue.take(subscription, { o: 7, p: 5 }), "dropped");
  assert.equal(queue.take(subscription, { o: 6, p: 5 }), "dropped");
  assert.equal(queue.take(subscription, { o: 9, p: 8 }), "gap");
  assert.equal(queue.take(subscription, { o: 9, p: 6 }), "taken");
  assert.deepEqual(offsets(queue), [7, 9]);
  assert.equal(queue.take(new Subscription("i", null, {}), { o: 1, p: 0 }), "gap", "nobody said where it begins");
});

test("contiguity is checked against what was received, not between waiting entries", () => {
  const queue = new Queue();
  const subscription = subscriptionAt(5);
  assert.equal(queue.take(subscription, { o: 8, p: 7 }), "gap");
  assert.equal(queue.take(subscription, { o: 9, p: 8 }), "gap");
});

test("while subscriptions are answered, entries wait and are brought into one order", () => {
  const queue = new Queue();
  const [one, two] = [subscriptionAt(0), subscriptionAt(0)];
  queue.hold();
  queue.take(one, { o: 2, p: 0 });
  queue.take(one, { o: 4, p: 2 });
  queue.takeAside(one, "beside 4");
  queue.take(two, { o: 1, p: 0 });
  queue.take(two, { o: 3, p: 1 });
  assert.ok(!queue.isReady);
  assert.equal(queue.next(), undefined);
  queue.release();
  assert.ok(queue.isReady);
  assert.deepEqual(offsets(queue), [1, 2, 3, 4, null]);
});

test("what a new rendering of the page shows is not shown again", () => {
  const queue = new Queue();
  const [one, two] = [subscriptionAt(0), subscriptionAt(0)];
  for (const o of [1, 2, 3]) queue.take(one, { o, p: o - 1 });
  queue.take(two, { o: 2, p: 0 });
  queue.skip(one, 2);
  assert.deepEqual(offsets(queue), [3, 2]);
});

test("what waits is bounded", () => {
  const queue = new Queue();
  const subscription = subscriptionAt(0);
  const outcomes = new Set();
  for (let o = 1; o <= 10_001; o += 1) outcomes.add(queue.take(subscription, { o, p: o - 1 }));
  assert.deepEqual([...outcomes], ["taken", "overflow"]);
  queue.forget(subscription);
  assert.ok(!queue.isReady);
});
