# frozen_string_literal: true

require "json"
require "securerandom"
require "socket"
require "timeout"

module Support
  # As much of a browser's page as shows what the server sends to it: Action Cable over a WebSocket.
  class Page
    def initialize(port, headers = {})
      @socket = TCPSocket.new("127.0.0.1", port)
      lines = ["GET /cable HTTP/1.1", "Host: 127.0.0.1:#{port}", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: #{[SecureRandom.bytes(16)].pack("m0")}",
        "Sec-WebSocket-Protocol: actioncable-v1-json", *headers.map { |name, value| "#{name}: #{value}" }]
      @socket.write("#{lines.join("\r\n")}\r\n\r\n")
      status = within { @socket.gets }
      raise "no WebSocket: #{status}" unless status.include?(" 101 ")

      within { nil until @socket.gets == "\r\n" }
      raise "no welcome" unless self.next["type"] == "welcome"
    end

    # Subscribes with the name of a rendered tag, and waits for the confirmation.
    def subscribe(signed_stream_name, channel = "Turbo::StreamsChannel")
      subscribe_with("channel" => channel, "signed_stream_name" => signed_stream_name)
    end

    # The same with all that a tag says.
    def subscribe_with(identifier)
      send_text(JSON.generate("command" => "subscribe", "identifier" => JSON.generate(identifier)))
      answer = self.next
      raise "not subscribed: #{answer}" unless answer["type"] == "confirm_subscription"

      self
    end

    # The next message, but for pings.
    def next
      loop do
        message = JSON.parse(read_text)
        return message unless message["type"] == "ping"
      end
    end

    def messages(count)
      Array.new(count) { self.next["message"] }
    end

    def close
      @socket.close
    end

    private

    def within(&block)
      Timeout.timeout(PATIENCE, &block)
    end

    def send_text(text)
      mask = SecureRandom.bytes(4)
      masked = text.bytes.each_with_index.map { |byte, at| byte ^ mask.getbyte(at % 4) }.pack("C*")
      head = text.bytesize < 126 ? [0x81, 0x80 | text.bytesize].pack("CC") : [0x81, 0xFE, text.bytesize].pack("CCn")
      @socket.write(head + mask + masked)
    end

    def read_text
      loop do
        kind, payload = read_frame
        return payload.force_encoding("UTF-8") if kind == 1
        raise "closed: #{payload.inspect}" if kind == 8

        pong(payload) if kind == 9
      end
    end

    def read_frame
      within do
        first, length = @socket.read(2).unpack("CC")
        length = @socket.read(2).unpack1("n") if length == 126
        length = @socket.read(8).unpack1("Q>") if length == 127
        [first & 15, length.zero? ? +"" : @socket.read(length)]
      end
    end

    def pong(payload)
      mask = [0, 0, 0, 0].pack("C*")
      @socket.write([0x8A, 0x80 | payload.bytesize].pack("CC") + mask + payload)
    end
  end
end
