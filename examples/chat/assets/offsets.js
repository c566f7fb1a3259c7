// The offset of each entry of the log. The server names it behind the message, where the stock client doesn't look:
// {"identifier": "…", "message": "…", "offset": 42}.

import { cable } from "@hotwired/turbo-rails";

/**
 * Listens to the client's socket, which is another one after a reconnect.
 *
 * @param {(offset: number) => void} delivered called after each entry was handed to its source
 * @returns {() => Promise<void>} to be called whenever the socket may have changed
 */
export function offsetListener(delivered) {
  let socket;
  // Behind the client's own handler: both are called in the order in which they were added.
  const read = ({ data }) => {
    const { offset } = JSON.parse(data);
    if (offset !== undefined) delivered(offset);
  };
  return async () => {
    const { connection } = await cable.getConsumer();
    if (!connection.webSocket || connection.webSocket === socket) return;
    socket = connection.webSocket;
    socket.addEventListener("message", read);
  };
}
