# frozen_string_literal: true

module Forebay
  module Rails
    # The streams whose pages may lack a broadcast, until the server knows.
    class Gaps
      # 10 000 names of 100 bytes are 1 MB. While the server is away each thread fails once a second, so
      # five of them need half an hour for so many.
      STREAMS_MAX = 10_000
      # The server takes so many at a time.
      TOLD_MAX = 1_000

      def initialize
        @mutex = Mutex.new
        @streams = {}
      end

      # Whether there was room for it.
      def add(stream)
        @mutex.synchronize { keep([stream]) }
      end

      def empty?
        @mutex.synchronize { @streams.empty? }
      end

      # Gives the streams, some at a time, and forgets them. An error brings back what was not told.
      def take
        streams = @mutex.synchronize { @streams.keys.tap { @streams = {} } }
        until streams.empty?
          yield streams.first(TOLD_MAX)
          streams = streams.drop(TOLD_MAX)
        end
      ensure
        @mutex.synchronize { keep(streams) } if streams
      end

      private

      def keep(streams)
        streams.all? do |stream|
          next false unless @streams.key?(stream) || @streams.size < STREAMS_MAX

          @streams[stream] = true
        end
      end
    end
  end
end
