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
      SEEN = /\A\h+(?:-\h+){4}(?:-\h+(?:_\h+)*)?\z/
      REPLICA = /\A\h+-\h+-\h+\z/

      def self.parse(text)
        parts = SHAPE.match(text)
        raise ArgumentError, "the server's answer is no page cursor" unless parts

        new(parts[:position], parts[:secret])
      end

      def initialize(position, secret, seen = nil)
        @position = position
        @secret = secret
        @seen = seen
      end

      # Makes exact cursors: what `select forebay.seen()` says in the transaction that reads the page's data.
      def with_seen(text)
        raise ArgumentError, "a replica's place in the log is not known here: read this page's data from the primary" if
          REPLICA.match?(text)
        raise ArgumentError, "what a transaction has seen is what `select forebay.seen()` says" unless SEEN.match?(text)

        self.class.new(@position, @secret, text)
      end

      # The cursor of the tag with this signed name. It is good beside this name only.
      def cursor_for(signed_name)
        subject = "signed_stream_name=#{signed_name}"
        subject = "seen=#{@seen}&#{subject}" if @seen
        mac = OpenSSL::HMAC.digest("SHA256", @secret, subject)
        [@position, @seen, [mac.byteslice(0, MAC_BYTES)].pack("m0").tr("+/", "-_")].compact.join(".")
      end

      def inspect
        "#<#{self.class} #{@position}>"
      end
    end
  end
end
