# frozen_string_literal: true

$LOAD_PATH.unshift(File.expand_path("../lib", __dir__))

require "fileutils"
require "minitest/autorun"
require "timeout"
require "tmpdir"

require_relative "support/program"
require_relative "support/page"
require_relative "support/line"
require_relative "support/app"

module Support
  # A test with servers of its own, and an app that is pointed at them.
  class Test < Minitest::Test
    def setup
      @servers = []
      PagesController.while_it_renders = nil
      LOG.truncate(0)
      LOG.rewind
    end

    def teardown
      ActionCable.server.restart
      @pages&.each(&:close)
      @servers.each(&:stop)
    end

    def serve(*flags, port: 0)
      Server.new(*flags, port: port).tap { |server| @servers << server }
    end

    # The app as `config/cable.yml` would have it.
    def use(cable)
      ActionCable.server.restart
      ActionCable.server.config.cable = cable.transform_keys(&:to_s)
    end

    def use_forebay(server, **more)
      use(adapter: "forebay", url: server.url, **more)
    end

    def get(path = "/", headers = {})
      _, _, body = Rails.application.call(Rack::MockRequest.env_for(path, headers))
      body.each.to_a.join
    ensure
      body.close if body.respond_to?(:close)
    end

    # The attribute of the tag in a page.
    def name_in(html)
      html[/ signed-stream-name="([^"]+)"/, 1] || flunk("no tag in #{html}")
    end

    def page(server, name, headers = {})
      page = Page.new(server.port, headers).subscribe(name)
      (@pages ||= []) << page
      page
    end

    def signed(stream)
      Turbo::StreamsChannel.signed_stream_name([stream])
    end

    def broadcast(stream, message)
      ActionCable.server.broadcast(stream, message)
    end

    def log
      LOG.string
    end

    # What it gives, and how long it took.
    def timed
      begin_at = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      [yield, Process.clock_gettime(Process::CLOCK_MONOTONIC) - begin_at]
    end
  end
end
