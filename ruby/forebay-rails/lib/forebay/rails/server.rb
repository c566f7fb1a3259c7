# frozen_string_literal: true

require "forebay/rails/cursors"
require "forebay/rails/publisher"

module Forebay
  module Rails
    # `forebay serve`, as one process of the application knows it.
    class Server
      Parts = Struct.new(:pid, :cursors, :publisher)

      def initialize(settings, logger)
        @settings = settings
        @logger = logger
        @mutex = Mutex.new
      end

      def page_cursor
        parts.cursors.take
      end

      def publish(stream, payload)
        parts.publisher.publish(stream, payload)
      end

      # Ends the connections of this visitor.
      def disconnect(identity, reconnect:)
        parts.publisher.command("/_disconnect", "identity" => identity, "reconnect" => reconnect)
      end

      # A member is told of in another way. False if nobody of this id is present.
      def update_member(stream, id, info)
        parts.publisher.command("/_presence", "stream" => stream, "id" => id, "info" => info)
        true
      rescue Publisher::Unknown
        false
      end

      def close
        parts = @mutex.synchronize { @parts.tap { @parts = nil } }
        return unless parts && parts.pid == Process.pid

        parts.cursors.close
        parts.publisher.close
      end

      private

      # A forked worker must not write to its parent's connections, nor end them.
      def parts
        @mutex.synchronize do
          next @parts if @parts && @parts.pid == Process.pid

          @parts = Parts.new(Process.pid, Cursors.new(@settings, @logger), Publisher.new(@settings, @logger))
        end
      end
    end
  end
end
