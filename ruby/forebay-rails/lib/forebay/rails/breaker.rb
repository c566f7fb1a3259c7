# frozen_string_literal: true

require "forebay/rails/deadline"

module Forebay
  module Rails
    # Whether it is worth asking. After some failures in a row nobody asks for a while; then one tries,
    # and if that one is answered everybody asks again.
    class Breaker
      FAILURES = 5
      SECONDS = 2.0

      def initialize(clock: Deadline.method(:now))
        @clock = clock
        @mutex = Mutex.new
        @failures = 0
        @next_probe = nil
      end

      # Whoever gets true says later how it went.
      def ask?
        @mutex.synchronize do
          next true unless @next_probe
          next false if @clock.call < @next_probe

          # This one tries, the others go on without. If it never says how it went, another tries.
          @next_probe = @clock.call + SECONDS
          true
        end
      end

      # Whether that changed anything: nobody had asked for a while, and now everybody does again.
      def succeeded
        @mutex.synchronize do
          was_open = !@next_probe.nil?
          @failures = 0
          @next_probe = nil
          was_open
        end
      end

      # Whether nobody asks from now on.
      def failed
        @mutex.synchronize do
          @failures += 1
          next false if @failures < FAILURES

          @next_probe = @clock.call + SECONDS
          true
        end
      end
    end
  end
end
