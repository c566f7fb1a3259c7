# frozen_string_literal: true

require "active_support/core_ext/string/filters"
require "active_support/core_ext/string/output_safety"

module Forebay
  module Rails
    # In front of turbo-rails' helper: its tag gets the page's cursor, behind the signed name and a dot. A
    # page that is morphed subscribes anew where its new content began: turbo-rails' element watches that
    # attribute, and elements that watch nothing are replaced, since each rendering has an id of its own.
    module SourceTag
      NAME = /(?<=\ssigned-stream-name=")[^"]+(?=")/

      def turbo_stream_from(*streamables, **attributes)
        forebay_mark(super, streamables)
      end

      # Says what the transaction has seen in which this page's data was read, before its first tag is rendered:
      # the text of `select forebay.seen()`. What the page shows already is then not replayed.
      def forebay_seen(text)
        page_cursor = request.get_header(CursorMiddleware::CURSOR)
        request.set_header(CursorMiddleware::CURSOR, page_cursor.with_seen(text)) if page_cursor
        nil
      end

      private

      # The tag with the page's cursor, if there is one.
      def forebay_mark(tag, streamables)
        page_cursor = forebay_page_cursor(streamables)
        signed_name = tag.to_str[NAME]
        return tag unless page_cursor && signed_name

        cursor = page_cursor.cursor_for(signed_name)
        marked = tag.to_str.sub(NAME, "#{signed_name}.#{cursor}")
        marked = marked.sub(/(?=[\s>])/, %( id="source-#{cursor}")) unless marked.match?(/\sid="/)
        # Nothing in a cursor means anything to HTML.
        marked.html_safe
      end

      def forebay_page_cursor(streamables)
        request = respond_to?(:request) ? self.request : nil
        return request.get_header(CursorMiddleware::CURSOR) if request&.has_header?(CursorMiddleware::CURSOR)

        forebay_warn(request, streamables) if Rails.adapter
        nil
      end

      # A cursor that was taken now would hide what was broadcast while the page's data was read.
      def forebay_warn(request, streamables)
        place = respond_to?(:controller) && controller ? controller.class.name : self.class.name
        why = if request&.has_header?(CursorMiddleware::SKIPPED)
          "config.forebay.pages says that this request is answered with no page"
        else
          "it is not rendered while a request is answered, but by a job, a mail or a broadcast"
        end
        Rails.warn_once([place, why], "turbo_stream_from #{streamables.inspect.truncate(100)} in #{place} has no " \
          "cursor: #{why}. The page misses what is broadcast until it subscribes.")
      end
    end
  end
end
