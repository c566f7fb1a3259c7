# frozen_string_literal: true

# A Rails app in front of `forebay serve`: broadcasts are posted to it, and pages carry a cursor.

require "rails"
require "action_cable"

require "forebay/rails/version"
require "forebay/rails/settings"
require "forebay/rails/server"
require "forebay/rails/cursor_middleware"
require "forebay/rails/presence_tag"
require "forebay/rails/source_tag"
require "forebay/rails/railtie"

module Forebay
  module Rails
    # The places that were warned of are kept, so that each is named once. Past this many a process
    # warns no more: 100 lines have said it.
    PLACES_MAX = 100

    @warned = {}
    @mutex = Mutex.new

    class << self
      # The adapter, if this app's cable is Forebay's. Another adapter is not even loaded.
      def adapter
        cable = ::ActionCable.server.config.cable
        return unless cable && (cable["adapter"] || cable[:adapter]).to_s == "forebay"

        pubsub = ::ActionCable.server.pubsub
        pubsub if pubsub.respond_to?(:page_cursor)
      rescue ArgumentError => error
        # Pages go on without cursors. Broadcasts raise this.
        warn_once(error.message, "pages have no cursor: #{error.message}")
        nil
      end

      # A member is another now: typing, away, of another name. Every page of the stream is shown it by this HTML, whose root
      # has the same id as before.
      #
      #   Forebay::Rails.update_member(@room, as: current_user, html: render_to_string(current_user))
      #
      # False if it is not present. The other options are those of `turbo_presence_stream_from`.
      def update_member(*streamables, as:, html:, target: nil, element: nil, info: {})
        cable = adapter or raise ArgumentError, "config/cable.yml has another adapter than forebay"
        stream = Turbo.signed_stream_verifier.verify(Turbo::StreamsChannel.signed_stream_name(streamables))
        told = PresenceTag.info_of(as, html, target: target, element: element, info: info)
        cable.update_member(stream, PresenceTag.id_of(as), told)
      end

      # Logs a warning, once for each place.
      def warn_once(place, message)
        is_new = @mutex.synchronize do
          next false if @warned.key?(place) || @warned.size >= PLACES_MAX

          @warned[place] = true
        end
        logger.warn("forebay: #{message}") if is_new
      end

      def logger
        ::ActionCable.server.config.logger || ::Rails.logger
      end
    end
  end
end
