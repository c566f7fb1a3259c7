# frozen_string_literal: true

require "connection_pool"
require "json"
require "net/http"

require "forebay/rails/connection"
require "forebay/rails/deadline"
require "forebay/rails/gaps"

module Forebay
  module Rails
    # Posts broadcasts and commands, one at a time, so that they keep their order. It has a connection of
    # its own: no page waits for a cursor behind it.
    #
    # A server that restarts is tried again until the time is over. What was not taken by then raises,
    # and is a gap: as soon as the server answers again, it is told which streams lack something, and
    # their pages load themselves again.
    class Publisher
      # The server was away the whole time.
      NotTaken = Class.new(StandardError)
      # The server answered that it does not take this, whenever it is posted.
      Refused = Class.new(StandardError)
      # What it was asked about is not there.
      Unknown = Class.new(Refused)

      # A server that was away the whole time is tried for so long only, until it answers again.
      AWAY_SECONDS = 1.0
      # Between two tries; the last is repeated.
      PAUSES = [0.05, 0.1, 0.2, 0.4].freeze
      # Between two tries to tell a gap.
      GAP_SECONDS = 1.0

      def initialize(settings, logger)
        @settings = settings
        @logger = logger
        @gaps = Gaps.new
        @mutex = Mutex.new
        @is_away = false
        @is_closed = false
        @turns = ConnectionPool.new(size: 1, timeout: settings.broadcast_seconds) do
          Connection.new(settings)
        end
      end

      # Publishes to this stream. When it returns, the server has taken it.
      def publish(stream, payload)
        body = JSON.generate("stream" => stream, "data" => payload)
        in_turn do |connection, deadline|
          tell_gaps(connection, deadline)
          is_once = post_until_taken(connection, "/_broadcast", body, deadline)
          # Where an answer was lost it may be there twice. A page that renders again is right.
          @gaps.add(stream) unless is_once
        end
      rescue StandardError => error
        is_kept = @gaps.add(stream)
        said = is_kept ? "its pages are told when the server answers" : "its pages are not told: too many streams"
        @logger&.error("forebay: a broadcast to #{stream.inspect} was not taken (#{said}): #{error.message}")
        raise
      ensure
        tell_gaps_soon
      end

      # Any other command, tried in the same way and kept in the same order.
      def command(path, body)
        json = JSON.generate(body)
        in_turn { |connection, deadline| post_until_taken(connection, path, json, deadline) }
      end

      def close
        @is_closed = true
        @turns.shutdown(&:close)
      end

      private

      # Gives the connection, and until when all must be done. To wait for one's turn counts, too.
      def in_turn
        seconds = @settings.broadcast_seconds
        seconds = [seconds, AWAY_SECONDS].min if @is_away
        deadline = Deadline.new(seconds)
        @turns.with(timeout: deadline.left) { |connection| yield connection, deadline }
        @is_away = false
      rescue Connection::Unreached, Connection::Unanswered, Timeout::Error => error
        @is_away = true
        raise NotTaken, "#{error.message} (tried for #{seconds} s)"
      end

      # Whether it was taken once for sure: without an answer nobody knows.
      def post_until_taken(connection, path, body, deadline)
        is_once = true
        pauses = PAUSES.dup
        loop do
          post(connection, path, body, deadline)
          return is_once
        rescue Connection::Unreached, Connection::Unanswered => error
          is_once = false if error.is_a?(Connection::Unanswered)
          pause = pauses.size > 1 ? pauses.shift : pauses.first
          raise if deadline.left <= pause

          sleep(pause)
        end
      end

      def post(connection, path, body, deadline)
        request = Net::HTTP::Post.new(path, "Content-Type" => "application/json")
        request.body = body
        answer = connection.call(request, deadline)
        return if answer.is_a?(Net::HTTPSuccess)

        said = "forebay answered #{answer.code}: #{answer.body.to_s.strip}"
        # It shuts down, or a proxy before it has no server to ask: it has taken nothing.
        raise Connection::Unreached, said if answer.is_a?(Net::HTTPServiceUnavailable)

        raise answer.is_a?(Net::HTTPNotFound) ? Unknown : Refused, said
      end

      def tell_gaps(connection, deadline)
        @gaps.take do |streams|
          post_until_taken(connection, "/_gap", JSON.generate("streams" => streams), deadline)
        rescue Refused => error
          # It would be refused again. What is broadcast now is not worse for it.
          @logger&.error("forebay: pages of #{streams} may lack something, and could not be told: #{error.message}")
        end
      end

      # Pages must not wait for the next broadcast, which may be long in coming.
      def tell_gaps_soon
        @mutex.synchronize do
          next if @gaps.empty? || @is_closed || @teller&.alive?

          @teller = Thread.new { tell_gaps_until_told }
        end
      end

      # One thread at most. It ends with the last gap, or with the adapter.
      def tell_gaps_until_told
        until @gaps.empty? || @is_closed
          begin
            in_turn { |connection, deadline| tell_gaps(connection, deadline) }
          rescue NotTaken
            sleep(GAP_SECONDS)
          end
        end
      rescue ConnectionPool::PoolShuttingDownError
        nil
      end
    end
  end
end
