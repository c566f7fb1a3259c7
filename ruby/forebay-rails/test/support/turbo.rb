# frozen_string_literal: true

# turbo-rails is no package of Debian's, so this signs and renders as its documentation says, unless
# TURBO_RAILS is the path of the real one. Rails is there already.
if ENV["TURBO_RAILS"]
  $LOAD_PATH.unshift(File.join(ENV["TURBO_RAILS"], "lib"))
  require "turbo-rails"
else
  module Turbo
    def self.signed_stream_verifier
      StreamsChannel.verifier
    end

    module StreamsChannel
      def self.verifier
        key = Rails.application.key_generator.generate_key("turbo/signed_stream_verifier_key")
        @verifier ||= ActiveSupport::MessageVerifier.new(key, digest: "SHA256", serializer: JSON)
      end

      def self.signed_stream_name(streamables)
        verifier.generate(streamables.join(":"))
      end
    end

    module StreamsHelper
      def turbo_stream_from(*streamables, **attributes)
        attributes[:channel] = attributes[:channel]&.to_s || "Turbo::StreamsChannel"
        attributes[:"signed-stream-name"] = Turbo::StreamsChannel.signed_stream_name(streamables)
        tag.turbo_cable_stream_source(**attributes)
      end
    end
  end
end
