# frozen_string_literal: true

require "logger"
require "stringio"
require "rails"
require "action_controller/railtie"
require "action_cable/engine"

require_relative "turbo"
require "forebay-rails"

module Support
  LOG = StringIO.new
  ROOT = Dir.mktmpdir("forebay-rails")
  at_exit { FileUtils.remove_entry(ROOT) }
end

# What stands between the cable and the rows: each page is asked for by a test.
class App < Rails::Application
  config.root = Support::ROOT
  config.eager_load = false
  config.secret_key_base = Support::SECRET_KEY_BASE
  config.logger = ActiveSupport::TaggedLogging.new(Logger.new(Support::LOG))
  config.hosts.clear
  config.action_cable.cable = { "adapter" => "test" }
  config.forebay.pages = ->(env) { env["PATH_INFO"] != "/quiet" && Forebay::Rails::CursorMiddleware::PAGES.call(env) }

  routes.append do
    get "/", to: "pages#show"
    get "/quiet", to: "pages#show"
    get "/mine", to: "pages#mine"
  end
end

module ApplicationCable
  class Connection < ActionCable::Connection::Base
    identified_by :current_user
  end
end

App.initialize!

class PagesController < ActionController::Base
  helper Turbo::StreamsHelper

  cattr_accessor :while_it_renders

  # What is broadcast in here was committed after the request began.
  def show
    while_it_renders&.call
    render inline: "<%= turbo_stream_from 'messages', data: { view: 'all' } %>"
  end

  def mine
    render inline: "<%= turbo_stream_from 'messages', id: 'mine' %>"
  end
end
