# frozen_string_literal: true

require "openssl"
require "uri"

module Forebay
  module Rails
    # What `config/cable.yml` says, checked when the adapter is made: a mistake shows at the first use,
    # not at the first page that lacks something.
    class Settings
      # A page waits this long for its cursor, all in all, and is rendered without it then.
      CURSOR_SECONDS = 0.2
      # A broadcast is tried for this long, all in all, and raises then.
      BROADCAST_SECONDS = 5.0
      # Connections for cursors: as many as Puma has threads, unless it says otherwise.
      POOL = 5

      KNOWN = %w[adapter url key cursor_seconds broadcast_seconds pool id channel_prefix].freeze

      attr_reader :url, :key, :cursor_seconds, :broadcast_seconds, :pool

      def initialize(cable)
        cable = cable.to_h.transform_keys(&:to_s)
        unknown = cable.keys - KNOWN
        raise ArgumentError, "cable.yml: forebay knows no #{unknown.join(", ")}" if unknown.any?

        @url = parse_url(cable["url"])
        @key = cable["key"].presence || derived_key
        @cursor_seconds = seconds(cable, "cursor_seconds", CURSOR_SECONDS)
        @broadcast_seconds = seconds(cable, "broadcast_seconds", BROADCAST_SECONDS)
        @pool = Integer(cable["pool"] || ENV["RAILS_MAX_THREADS"] || POOL)
        raise ArgumentError, "cable.yml: pool must be at least 1" unless @pool.positive?
      end

      # Neither the key nor what is derived from it belongs into a log.
      def inspect
        "#<#{self.class} #{url}>"
      end

      private

      def parse_url(text)
        url = URI(text.to_s)
        return url if url.is_a?(URI::HTTP) && url.host

        raise ArgumentError,
          "cable.yml: url must be the address of forebay serve, such as http://127.0.0.1:8080, not #{text.inspect}"
      rescue URI::InvalidURIError
        raise ArgumentError, "cable.yml: url can't be read: #{text.inspect}"
      end

      def seconds(cable, name, default)
        value = Float(cable[name] || default)
        raise ArgumentError, "cable.yml: #{name} must be more than 0" unless value.positive?

        value
      end

      # The server derives the same from the same secret.
      def derived_key
        OpenSSL::HMAC.hexdigest("SHA256", ::Rails.application.secret_key_base, "broadcast-cable")
      end
    end
  end
end
