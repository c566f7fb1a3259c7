// A scenario is a function of a room, so that the same one runs against the real server and against known-bad variants.

/** @typedef {import("../support/room.js").Room} Room */
/** @typedef {{name: string, run: (room: Room) => Promise<void>}} Scenario */

/** @param {string} name its number in SCENARIOS.md and the behaviour @param {Scenario["run"]} run @returns {Scenario} */
export const scenario = (name, run) => ({ name, run });

/** "message 1" to "message n", as a flood creates them. @param {number} count */
export const messages = (count, from = 1) => Array.from({ length: count }, (_, i) => `message ${from + i}`);

/** What appending these texts looks like in the recorded actions. @param {string[]} texts */
export const appends = (texts) => texts.map((text) => `append ${text}`);

/** A module's scenarios by name. @param {Record<string, Scenario>} module */
export const scenariosOf = (module) => Object.values(module).sort((a, b) => (a.name < b.name ? -1 : 1));
