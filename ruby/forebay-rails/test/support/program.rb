# frozen_string_literal: true

require "socket"
require "tmpdir"

# Starting the real server, and waiting for what it says. Nothing waits for time to pass: whoever
# stays silent for PATIENCE fails the test.
module Support
  PATIENCE = 30

  SECRET_KEY_BASE = "0123456789abcdef0123456789abcdef"

  # `forebay`, built by whoever runs the tests.
  BINARY = ENV.fetch("FOREBAY") { File.expand_path("../../../../target/debug/forebay", __dir__) }

  def self.free_port
    server = TCPServer.new("127.0.0.1", 0)
    server.addr[1]
  ensure
    server&.close
  end

  # A running `forebay serve`.
  class Server
    attr_reader :port

    def initialize(*flags, port: 0)
      @flags = flags
      @port = port
      start
    end

    def start
      # Debian's Rails is older than 7.0, so its keys are derived with SHA-1.
      command = [BINARY, "serve", "--port", @port.to_s, "--secret-key-base", SECRET_KEY_BASE,
        "--secret-key-base-digest", "sha1", *@flags]
      @output, output = IO.pipe
      @pid = Process.spawn(*command, out: output, err: ENV["SHOW_SERVER"] ? :err : File::NULL, chdir: Dir.tmpdir)
      output.close
      line = Timeout.timeout(PATIENCE) { @output.gets }
      raise "forebay did not start: #{line.inspect}" unless line&.start_with?("ready ")

      @port = Integer(line[/:(\d+)/, 1])
    end

    def url
      "http://127.0.0.1:#{@port}"
    end

    # It takes connections and answers nothing, as a machine does that swaps.
    # On a busy machine the signal reaches one of its threads after the other: meanwhile they answer.
    def hang
      Process.kill(:STOP, @pid)
      Timeout.timeout(PATIENCE) { Process.wait(@pid, Process::WUNTRACED) }
    end

    def go_on
      Process.kill(:CONT, @pid)
    end

    def stop
      return unless @pid

      Process.kill(:CONT, @pid)
      Process.kill(:KILL, @pid)
      Process.wait(@pid)
      @output.close
      @pid = nil
    end
  end
end
