# frozen_string_literal: true

require "json"

module Forebay
  module Rails
    # A tag that makes the page's visitor present on a stream, and shows the page who comes and leaves. The page needs
    # nothing but turbo-rails' own client.
    module PresenceTag
      CHANNEL = "Forebay::PresenceChannel"
      # What the names of streams and their members are signed for, so that they open nothing else.
      PURPOSE = "presence:"
      MEMBER = "member:"
      # The server takes 4 KiB for all that a tag says. A signed name, a cursor and their names need the rest.
      BYTES_MAX = 3_200

      # Makes `as`, a record, present on the stream, and shows it by its partial to all pages that have such a tag.
      #
      #   <%= turbo_presence_stream_from @room, as: current_user %>
      #   <ul id="users"></ul>
      #
      # The partial's element is appended to `target`, by default the model's plural. The partial's root has the id
      # `element`, by default `dom_id(as)`: by that it is replaced and removed. `html` is there instead of the partial.
      # `info` is a hash that AnyCable's clients are told of the member. Without `as` the page only watches.
      def turbo_presence_stream_from(*streamables, as: nil, target: nil, element: nil, html: nil, info: {}, **attributes)
        stream = Turbo.signed_stream_verifier.verify(Turbo::StreamsChannel.signed_stream_name(streamables))
        data = { **attributes.delete(:data).to_h, list: true }
        if as
          told = PresenceTag.info_of(as, html || render(as), target: target, element: element, info: info)
          data[:member] = forebay_member(stream, as, told)
        end
        tag = tag().turbo_cable_stream_source(
          channel: CHANNEL, "signed-stream-name": forebay_sign(stream, PURPOSE), data: data, **attributes
        )
        forebay_mark(tag, streamables)
      end

      # What others are told of a member: how it is shown, and what the app adds for AnyCable's clients.
      def self.info_of(member, html, target:, element:, info:)
        target ||= member.model_name.plural
        element ||= ActionView::RecordIdentifier.dom_id(member)
        { **info, turbo: { target: target, id: element, html: html.to_str } }
      end

      def self.id_of(member)
        member.to_key.join("_")
      end

      private

      def forebay_member(stream, member, info)
        # Plain JSON: Active Support's escapes what means something to HTML, and that takes room.
        signed = forebay_sign(JSON.generate({ id: PresenceTag.id_of(member), info: info }), "#{MEMBER}#{stream}")
        return signed if signed.bytesize + stream.bytesize <= BYTES_MAX

        raise ArgumentError, "the member has #{signed.bytesize} bytes when it is signed, more than a tag has room for: " \
          "give a shorter partial as html:"
      end

      def forebay_sign(text, purpose)
        Turbo.signed_stream_verifier.generate(text, purpose: purpose)
      end
    end
  end
end
