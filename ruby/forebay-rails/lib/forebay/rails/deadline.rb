# frozen_string_literal: true

module Forebay
  module Rails
    # A moment until which several steps together must be done.
    class Deadline
      # Nothing waits for no time at all: zero means "for ever" to some of Ruby's methods.
      LEAST = 0.001

      def self.now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end

      def initialize(seconds)
        @end = self.class.now + seconds
      end

      def left
        [@end - self.class.now, LEAST].max
      end

      def over?
        self.class.now >= @end
      end
    end
  end
end
