# frozen_string_literal: true

require "connection_pool"
require "net/http"

require "forebay/rails/breaker"
require "forebay/rails/connection"
require "forebay/rails/deadline"
require "forebay/rails/page_cursor"

module Forebay
  module Rails
    # Asks for page cursors. A page never waits longer than the settings say, whatever the server does:
    # a page without a cursor is better than no page.
    class Cursors
      PATH = "/_cursor"

      def initialize(settings, logger)
        @settings = settings
        @logger = logger
        @breaker = Breaker.new
        @pool = ConnectionPool.new(size: settings.pool, timeout: settings.cursor_seconds) do
          Connection.new(settings)
        end
        @without = 0
        @mutex = Mutex.new
      end

      # The cursor of a page whose request begins now; nil if it could not be had, which is logged.
      def take
        return without unless @breaker.ask?

        cursor = ask
        recovered if @breaker.succeeded
        cursor
      rescue StandardError => error
        failed(error)
      end

      def close
        @pool.shutdown(&:close)
      end

      private

      def ask
        deadline = Deadline.new(@settings.cursor_seconds)
        answer = @pool.with(timeout: deadline.left) do |connection|
          connection.call(Net::HTTP::Get.new(PATH), deadline)
        end
        return PageCursor.parse(answer.body) if answer.is_a?(Net::HTTPSuccess)

        raise "forebay answered #{answer.code}: #{answer.body.to_s.strip}"
      end

      def without
        @mutex.synchronize { @without += 1 }
        nil
      end

      def failed(error)
        without
        said = "forebay: no cursor, so this page may miss updates: #{error.message}"
        said += "; the next pages of #{Breaker::SECONDS} s are rendered without one" if @breaker.failed
        @logger&.error(said)
        nil
      end

      def recovered
        without = @mutex.synchronize { @without.tap { @without = 0 } }
        @logger&.warn("forebay: cursors again; #{without} pages were rendered without one")
      end
    end
  end
end
