// What inspect.js says without a document: names in clear, the nearest id, and the sentences, which are the server's.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { readable, streamName, withoutCursor } from "../src/inspect/names.js";
import { nearest } from "../src/inspect/nearest.js";
import { sentence } from "../src/inspect/sentences.js";

const base64 = (text) => Buffer.from(text).toString("base64");
const signed = (json) => `${base64(JSON.stringify(json))}--c0ffee`;

test("a signed name is read as Rails and Forebay write it, with and without a cursor", () => {
  const check = (text, expected) => assert.equal(streamName(text), expected);
  check(signed("chat:1"), "chat:1");
  check(`${signed("chat:1")}.1a.41.7b.c0ffee`, "chat:1");
  check(signed({ _rails: { data: "chat:1", pur: "RoomChannel" } }), "chat:1");
  check(signed("größe"), "größe");
  check(signed({ _rails: {} }), null);
  check("chat:1", null);
  check("", null);
  assert.equal(withoutCursor("name--mac.1.2.3"), "name--mac");
});

test("a record's global id is shown in clear", () => {
  const record = base64("gid://chat/Room/1").replaceAll("=", "");
  assert.equal(readable(`${record}:messages`), "gid://chat/Room/1:messages");
  assert.equal(readable("Z2lkOi8v!:messages"), "Z2lkOi8v!:messages");
});

test("the nearest name has the same numbers and few other letters", () => {
  const check = (name, names, expected) => assert.deepEqual(nearest(name, names), expected);
  check("mesages", ["header", "messages", "message"], ["messages", "message"]);
  check("messages-list", ["messages_list"], ["messages_list"]);
  check("message_7", ["message_8", "messages_7"], ["messages_7"]);
  check("x", ["messages"], []);
});

test("each sentence is the server's, word for word", async () => {
  const table = new URL("../../../crates/forebay-inspect/tests/sentences.json", import.meta.url);
  const rows = JSON.parse(await readFile(table, "utf8"));
  for (const { report, sentence: expected } of rows) {
    const change = { action: "", target: null, targets: null, ...report };
    assert.equal(sentence(report.seen, change), expected);
  }
});
