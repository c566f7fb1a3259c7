# frozen_string_literal: true

require "socket"

module Support
  # A line between the app and the server, that can be cut: then nobody is reached.
  class Line
    attr_reader :port

    def initialize(server)
      @server = server
      @port = Support.free_port
      mend
    end

    def url
      "http://127.0.0.1:#{@port}"
    end

    def mend
      @listener = TCPServer.new("127.0.0.1", @port)
      @open = []
      listener = @listener
      @thread = Thread.new { loop { join(listener.accept) } }
      @thread.report_on_exception = false
    end

    # Ends every connection, and refuses new ones.
    def cut
      @thread.kill.join
      @listener.close
      @open.each(&:close)
    end

    # The next answer is lost: the server has taken the request, and the app does not know.
    def lose_next_answer
      @loses = true
    end

    # The next request does not reach the server.
    def answer_next_with_503
      @is_unavailable = true
    end

    # What is posted does not reach the server, and nobody answers.
    def swallow_posts
      @posts = Queue.new
    end

    def wait_for_post
      Timeout.timeout(PATIENCE) { @posts.pop }
    end

    private

    def join(client)
      server = TCPSocket.new("127.0.0.1", @server.port)
      @open.push(client, server)
      swallows = nil
      pass(client, server) do |piece|
        # Head and body come in pieces of their own.
        swallows ||= @posts && piece.start_with?("POST") && @posts.push(piece)
        next :swallow if swallows
        next true unless @is_unavailable

        @is_unavailable = false
        client.write("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        false
      end
      pass(server, client) do
        next true unless @loses

        @loses = false
      end
    end

    # Passes pieces on for as long as the block says so.
    def pass(from, to)
      Thread.new do
        loop do
          piece = from.readpartial(1 << 16)
          goes_on = yield piece
          break unless goes_on

          to.write(piece) unless goes_on == :swallow
        end
      rescue IOError, SystemCallError
        nil
      ensure
        # Both directions end together, as when a process dies.
        [from, to].each { |socket| socket.shutdown rescue nil }
      end
    end
  end
end
