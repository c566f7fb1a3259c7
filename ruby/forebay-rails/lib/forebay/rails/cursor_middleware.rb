# frozen_string_literal: true

module Forebay
  module Rails
    # Takes a page's cursor before the application reads any data: what was committed before is in the
    # data, and what is broadcast after is replayed when the page subscribes.
    class CursorMiddleware
      # Where the request keeps its cursor; nil says that it was asked for in vain, which is logged.
      CURSOR = "forebay.page_cursor"
      # Of a request that needs none.
      SKIPPED = "forebay.no_page"

      # Whether this request may be answered with a page. Browsers say what they load pictures, scripts
      # and styles for; whoever asks for JSON alone gets no page.
      PAGES = lambda do |env|
        next false unless env.fetch("HTTP_SEC_FETCH_DEST", "document").match?(/\A(?:document|i?frame|empty)\z/)

        accept = env["HTTP_ACCEPT"].to_s.strip
        accept.empty? || accept.include?("html") || accept == "*/*"
      end

      def initialize(app, config)
        @app = app
        @config = config
      end

      def call(env)
        if !(@config.pages || PAGES).call(env)
          env[SKIPPED] = true
        elsif (adapter = Rails.adapter)
          env[CURSOR] = adapter.page_cursor
        end
        @app.call(env)
      end
    end
  end
end
