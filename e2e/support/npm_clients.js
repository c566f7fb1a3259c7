// The clients from npm that a script drives, behind one interface, so that they run the same tests.

/** @typedef {{script: string, prepare: (options: object) => void, options?: object}} NpmClient */

/**
 * `prepare` makes a `subscribe(params)` in the page. What that returns collects `messages` and `states`, and can
 * `unsubscribe()`, subscribe `again()` with the same parameters, `resubscribe()` (both, if it is subscribed) and `perform()`.
 *
 * @type {Record<string, NpmClient>}
 */
export const CLIENTS = {
  "@rails/actioncable": {
    script: "actioncable",
    prepare: () => {
      const consumer = window.createConsumer();
      window.subscribe = (params) => {
        const messages = [];
        const states = [];
        const callbacks = {
          connected: () => states.push("connected"),
          rejected: () => states.push("rejected"),
          received: (message) => messages.push(message),
        };
        let inner;
        const again = () => {
          inner = consumer.subscriptions.create(params, callbacks);
        };
        again();
        const unsubscribe = () => inner.unsubscribe();
        const resubscribe = () => {
          unsubscribe();
          again();
          return true;
        };
        return { messages, states, again, unsubscribe, resubscribe, perform: (action, data) => inner.perform(action, data) };
      };
    },
  },
  "@anycable/web": {
    script: "anycable",
    // Its pauses, shortened: it subscribes again one and a half cool-downs after it has unsubscribed, and asks again after a retry
    // interval. By default 250 and 5000.
    options: { protocolOptions: { subscribeCooldownInterval: 10, subscribeRetryInterval: 1000 } },
    prepare: (options) => {
      const cable = window.createCable(options);
      window.subscribe = ({ channel: name, ...params }) => {
        const messages = [];
        const states = [];
        const inner = cable.subscribeTo(name, params);
        inner.on("connect", () => states.push("connected"));
        inner.on("close", () => states.push("rejected"));
        inner.on("message", (message) => messages.push(message));
        const again = () => cable.subscribe(inner);
        const unsubscribe = () => inner.disconnect();
        const resubscribe = () => {
          // While it waits for a confirmation it takes back what it hasn't sent, and throws away what it gets.
          if (inner.state !== "connected") return false;
          unsubscribe();
          setTimeout(again);
          return true;
        };
        return { messages, states, again, unsubscribe, resubscribe, perform: (action, data) => inner.perform(action, data) };
      };
    },
  },
};
