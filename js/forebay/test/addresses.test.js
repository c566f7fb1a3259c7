import assert from "node:assert/strict";
import { test } from "node:test";

import { addressesOf } from "../src/addresses.js";

const PAGE = "https://app.example/app/rooms/1?x=1";

/** @param {[string?, string?, string?]} from the cable and the prefix as the page says them, the script @param {string} cable @param {string} folder */
function check([said, prefix, script], cable, folder) {
  assert.deepEqual(addressesOf(PAGE, said, prefix, script), { cable, folder });
}

test("all addresses follow from the script's, or from the cable's", () => {
  const root = "https://app.example/forebay/forebay.js";
  check([undefined, undefined, root], "https://app.example/cable", "https://app.example/forebay/");
  check([undefined, undefined, undefined], "https://app.example/cable", "https://app.example/forebay/");
  check(["/cable", undefined, root], "https://app.example/cable", "https://app.example/forebay/");
});

test("a nested application, or one behind a proxy's prefix", () => {
  const script = "https://app.example/app/forebay/forebay.js";
  check([undefined, undefined, script], "https://app.example/app/cable", "https://app.example/app/forebay/");
  check(["/app/cable", undefined, script], "https://app.example/app/cable", "https://app.example/app/forebay/");
  check(["/app/cable/", undefined, undefined], "https://app.example/app/cable/", "https://app.example/app/forebay/");
  check(["/app/cable?token=x", undefined, undefined], "https://app.example/app/cable?token=x", "https://app.example/app/forebay/");
});

test("another origin, another prefix", () => {
  const there = "https://live.example/forebay/forebay.js";
  check(["wss://live.example/cable", undefined, there], "wss://live.example/cable", "https://live.example/forebay/");
  check(["wss://live.example/cable", undefined, "https://cdn.example/js/forebay.js"], "wss://live.example/cable", "https://live.example/forebay/");
  check([undefined, undefined, there], "https://live.example/cable", "https://live.example/forebay/");
  const own = "https://app.example/live/forebay.js";
  check(["/ws/cable", undefined, own], "https://app.example/ws/cable", "https://app.example/live/");
  check(["/ws/cable", "/live", undefined], "https://app.example/ws/cable", "https://app.example/live/");
  check(["/ws/cable", "https://live.example/x/", own], "https://app.example/ws/cable", "https://live.example/x/");
});
