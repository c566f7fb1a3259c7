# frozen_string_literal: true

require "net/http"
require "openssl"
require "timeout"

module Forebay
  module Rails
    # One HTTP connection to the server, kept from request to request. A pool gives it to one thread at
    # a time.
    class Connection
      # The server was not reached, so it has taken nothing.
      Unreached = Class.new(StandardError)
      # The request was on its way when the connection broke: the server may have taken it.
      Unanswered = Class.new(StandardError)

      BROKEN = [SystemCallError, IOError, SocketError, Timeout::Error, OpenSSL::SSL::SSLError,
        Net::ProtocolError, Net::HTTPBadResponse].freeze

      def initialize(settings)
        @settings = settings
      end

      # The answer, within this time: name look-up, handshake, request and answer together.
      def call(request, deadline)
        request["Authorization"] = "Bearer #{@settings.key}"
        is_done = false
        open(deadline)
        answer = exchange(request, deadline)
        is_done = true
        answer
      ensure
        # Also when the thread is ended from outside: half an answer must not be the next one's.
        close unless is_done
      end

      def close
        @http&.finish
      rescue IOError
        nil
      ensure
        @http = nil
      end

      private

      def open(deadline)
        return if @http

        http = Net::HTTP.new(@settings.url.host, @settings.url.port, nil)
        http.use_ssl = @settings.url.scheme == "https"
        # What is tried again, and for how long, is the caller's.
        http.max_retries = 0
        http.keep_alive_timeout = 30
        http.open_timeout = deadline.left
        @http = Timeout.timeout(deadline.left) { http.start }
      rescue *BROKEN => error
        raise Unreached, "forebay at #{@settings.url} was not reached: #{error.message}"
      end

      # The library's own limits are for each read; the one around them is for all.
      def exchange(request, deadline)
        @http.open_timeout = @http.read_timeout = @http.write_timeout = deadline.left
        Timeout.timeout(deadline.left) { @http.request(request) }
      rescue Errno::ECONNREFUSED, Net::OpenTimeout => error
        # A kept connection had ended, and a new one was not to be had.
        raise Unreached, "forebay at #{@settings.url} was not reached: #{error.message}"
      rescue *BROKEN => error
        raise Unanswered, "forebay at #{@settings.url} did not answer: #{error.message}"
      end
    end
  end
end
