# frozen_string_literal: true

require "rails/railtie"

module Forebay
  module Rails
    # What the gem does without being called.
    class Railtie < ::Rails::Railtie
      # `config.forebay.pages = ->(env) { … }`: which requests are answered with a page.
      config.forebay = ActiveSupport::OrderedOptions.new

      # Last, so next to the application: what is answered before, such as assets, costs nothing.
      initializer "forebay.page_cursor" do |app|
        app.middleware.use CursorMiddleware, app.config.forebay
      end

      # Looked for by its name, so that every kind of autoloader finds it.
      config.to_prepare do
        "Turbo::StreamsHelper".safe_constantize&.prepend(SourceTag, PresenceTag)
      end
    end
  end
end
