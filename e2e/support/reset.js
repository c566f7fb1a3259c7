// Resets a TCP connection whatever state it is in.

/**
 * Sends RST, or closes if the writing side has ended already: libuv refuses a reset once a shutdown was asked for, and node
 * 20 then never closes the socket.
 *
 * @param {import("node:net").Socket} socket
 */
export function reset(socket) {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
