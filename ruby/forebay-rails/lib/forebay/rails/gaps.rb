# frozen_string_literal: true

module Forebay
  module Rails
    # The streams whose pages may lack a broadcast, until the server knows.
    class Gaps
      # Past so many, every stream has a gap: 1 000 names of 100 bytes are 100 KB, and one short request.
      STREAMS_MAX = 1_000

      def initialize
        @mutex = Mutex.new
        @streams = {}
        @is_everything = false
      end

      def add(stream)
        @mutex.synchronize do
          @streams[stream] = true
          widen if @streams.size > STREAMS_MAX
        end
      end

      def empty?
        @mutex.synchronize { @streams.empty? && !@is_everything }
      end

      # Gives what the server is to be told, if there is anything, and forgets it; an error brings it back.
      def take
        streams, is_everything = @mutex.synchronize { [@streams, @is_everything].tap { forget } }
        return if streams.empty? && !is_everything

        is_told = false
        yield is_everything ? { "all" => true } : { "streams" => streams.keys }
        is_told = true
      ensure
        put_back(streams, is_everything) unless is_told
      end

      private

      def forget
        @streams = {}
        @is_everything = false
      end

      def put_back(streams, is_everything)
        @mutex.synchronize do
          @streams.merge!(streams)
          widen if is_everything || @is_everything || @streams.size > STREAMS_MAX
        end
      end

      def widen
        @streams = {}
        @is_everything = true
      end
    end
  end
end
