# frozen_string_literal: true

require "action_cable/subscription_adapter/base"
require "forebay/rails"

module ActionCable
  module SubscriptionAdapter
    # `adapter: forebay` in `config/cable.yml`. It uses the public methods of its base class only, and
    # the server that it is given.
    class Forebay < Base
      # Where Rails tells its own servers to end a visitor's connections. The rest is the visitor's name.
      INTERNAL = "action_cable/"

      def initialize(server)
        super
        settings = ::Forebay::Rails::Settings.new(server.config.cable)
        @forebay = ::Forebay::Rails::Server.new(settings, server.config.logger)
      end

      def broadcast(channel, payload)
        if channel.start_with?(INTERNAL)
          internal(channel.delete_prefix(INTERNAL), payload)
        else
          @forebay.publish(channel, payload)
        end
        nil
      end

      # Where the log stands now, for a page whose request begins; nil if it could not be had in time.
      def page_cursor
        @forebay.page_cursor
      end

      def update_member(stream, id, info)
        @forebay.update_member(stream, id, info)
      end

      def subscribe(*)
        raise NotImplementedError, "pages connect to forebay serve, not to Rails"
      end

      def unsubscribe(*)
      end

      def shutdown
        @forebay.close
      end

      private

      # `remote_connections.where(…).disconnect`.
      def internal(identity, payload)
        message = JSON.parse(payload)
        unless message.is_a?(Hash) && message["type"] == "disconnect" && !identity.empty?
          raise ArgumentError, "forebay serves no internal message like #{payload} to #{identity.inspect}"
        end

        @forebay.disconnect(identity, reconnect: message.fetch("reconnect", true))
      end
    end
  end
end
