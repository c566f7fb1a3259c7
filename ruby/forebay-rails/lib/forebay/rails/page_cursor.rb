# frozen_string_literal: true

require "base64"
require "openssl"

module Forebay
  module Rails
    # Where the log stood when a page's request began: `EPOCH.OFFSET.PAGE.SECRET`, as the server says it.
    # With the secret a cursor for any stream can be made, so it must not be rendered.
    class PageCursor
      SHAPE = /\A(?<position>\h+\.\d+\.\h+)\.(?<secret>[\w-]{43})\z/
      MAC_BYTES = 12

      def self.parse(text)
        parts = SHAPE.match(text)
        raise ArgumentError, "the server's answer is no page cursor" unless parts

        new(parts[:position], parts[:secret])
      end

      def initialize(position, secret)
        @position = position
        @secret = secret
      end

      # The cursor of the tag with this signed name. It is good beside this name only.
      def cursor_for(signed_name)
        mac = OpenSSL::HMAC.digest("SHA256", @secret, "signed_stream_name=#{signed_name}")
        "#{@position}.#{[mac.byteslice(0, MAC_BYTES)].pack("m0").tr("+/", "-_")}"
      end

      def inspect
        "#<#{self.class} #{@position}>"
      end
    end
  end
end
