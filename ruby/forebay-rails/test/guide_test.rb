# frozen_string_literal: true

require_relative "support/program"
require_relative "support/page"

$LOAD_PATH.unshift(File.expand_path("../lib", __dir__))

require "active_support"
require "active_support/core_ext/object/blank"
require "erb"
require "fileutils"
require "forebay/rails/settings"
require "minitest/autorun"
require "net/http"
require "open3"
require "timeout"
require "yaml"

# The Ruby of docs/serve.md, as an application of its own: its Gemfile line is resolved by Bundler, its
# files are put where the guide says, and Puma serves it behind nginx with the guide's block.
class GuideTest < Minitest::Test
  ROOT = File.expand_path("../../..", __dir__)
  GEM = File.expand_path("..", __dir__)
  USERS = { "1" => "gid-of-user-1", "2" => "gid-of-user-2" }.freeze

  def setup
    @folder = Dir.mktmpdir("forebay-guide")
    @programs = []
    @server = Support::Server.new("--identity-header", "X-Forebay-User")
    @app_port = Support.free_port
    write_app
  end

  def teardown
    @programs.each do |pid|
      Process.kill(:TERM, pid)
      Process.wait(pid)
    end
    @server.stop
    FileUtils.remove_entry(@folder)
  end

  def test_the_guides_application_works
    assert_equal Support::SECRET_KEY_BASE, run_in_app(command_for_the_secret)

    start("bundle", "exec", "puma", "--bind", "tcp://127.0.0.1:#{@app_port}", "--threads", "2:2", says: "Use Ctrl-C to stop")
    nginx_port = start_nginx
    anonymous = Net::HTTP.get_response(URI("http://127.0.0.1:#{nginx_port}/"))
    assert_equal "200", anonymous.code, anonymous.body
    name = anonymous.body[/ signed-stream-name="([^"]+)"/, 1]
    assert_match(/--\h{64}\.\h+\.\d+\.\h+\.[\w-]{16}\z/, name)
    assert_includes anonymous.body, %(<meta name="action-cable-url" content="ws://localhost:8080/cable")

    # While the first page was rendered it broadcast once; the page gets it when it subscribes.
    headers = { "Origin" => "http://127.0.0.1:#{nginx_port}" }
    pages = USERS.keys.map { |user| Support::Page.new(nginx_port, headers.merge("Cookie" => "user=#{user}")) }
    pages.each { |page| assert_equal ["while it was rendered"], page.subscribe(name).messages(1) }

    run_in_app("bin/rails runner 'ActionCable.server.remote_connections.where(current_user: User.new(\"1\")).disconnect'")
    assert_equal "disconnect", pages.first.next["type"]
    run_in_app("bin/rails runner 'ActionCable.server.broadcast(\"messages\", \"to the other\")'")
    assert_equal ["to the other"], pages.last.messages(1)
  end

  def test_every_snippet_of_the_guides_ruby_is_valid
    %w[docs/serve.md ruby/forebay-rails/README.md].each do |document|
      blocks(document, "ruby").each do |ruby|
        said, status = Open3.capture2e("ruby", "-wc", stdin_data: ruby)
        assert_predicate status, :success?, "#{document}: #{said}\n#{ruby}"
      end
    end
  end

  def test_every_cable_yml_of_the_guides_is_understood
    ENV["CABLE_SERVER_URL"] = "http://127.0.0.1:8080"
    understood = %w[docs/serve.md ruby/forebay-rails/README.md].flat_map do |document|
      blocks(document, "yaml").flat_map { |text| YAML.safe_load(ERB.new(text).result).values }
    end
    understood.select! { |cable| cable["adapter"] == "forebay" }
    understood.each { |cable| Forebay::Rails::Settings.new(cable.merge("key" => "given")) }
    assert_equal 3, understood.size
  ensure
    ENV.delete("CABLE_SERVER_URL")
  end

  private

  def blocks(document, language)
    File.read(File.join(ROOT, document)).scan(/^```#{language}\n(.*?)^```$/m).flatten
  end

  def block(language, part)
    found = blocks("docs/serve.md", language).find { |text| text.include?(part) } or
      flunk "docs/serve.md has no #{language} with #{part}"
    found.gsub("http://127.0.0.1:8080", @server.url).gsub("127.0.0.1:3000", "127.0.0.1:#{@app_port}")
  end

  def command_for_the_secret
    block("console", "bin/rails runner")[/\$\((bin\/rails runner '[^']+')\)/, 1] or flunk "no command for the secret"
  end

  def write_app
    FileUtils.cp_r(File.join(__dir__, "guide/."), @folder)
    gem_line = block("ruby", 'gem "forebay-rails"').sub("../forebay/ruby/forebay-rails", GEM)
    write "Gemfile", %(gem "railties"\ngem "actioncable"\ngem "puma"\n#{gem_line})
    write "config/cable.yml", block("yaml", "adapter: forebay")
    write "config/application.rb", application
    write "app/views/pages/show.html.erb", block("erb", "action_cable_meta_tag") + block("erb", "turbo_stream_from")
    write "app/controllers/cable_visitors_controller.rb", block("ruby", "class CableVisitorsController")
  end

  # As `rails new` would have written it, with the guide's lines and no database.
  def application
    source = File.read(File.join(__dir__, "guide/config/application.rb"))
    lines = [block("ruby", "config.action_cable.url"), block("ruby", "config.forebay.pages")].join
    source.sub("  # The guide's lines.\n", lines).sub("# The guide's route.", block_of_route)
  end

  def block_of_route
    File.read(File.join(ROOT, "docs/serve.md"))[/`(get "cable_visitor", [^`]+)`/, 1] or flunk "no route"
  end

  def write(name, text)
    path = File.join(@folder, name)
    FileUtils.mkdir_p(File.dirname(path))
    File.write(path, text)
  end

  # Bundler looks for installed gems only; nothing is fetched.
  def environment
    { "RAILS_ENV" => "development", "BUNDLE_GEMFILE" => File.join(@folder, "Gemfile"), "BUNDLE_FROZEN" => nil,
      "BUNDLE_DISABLE_LOCAL_BRANCH_CHECK" => "1", "RUBYOPT" => nil, "TEST_SECRET" => Support::SECRET_KEY_BASE }
  end

  def run_in_app(command)
    said, errors, status = Open3.capture3(environment, command, chdir: @folder)
    assert_predicate status, :success?, "#{command}\n#{said}#{errors}"
    said
  end

  # Starts it, and waits until it says so.
  def start(*command, says:)
    output, input = IO.pipe
    @programs << Process.spawn(environment, *command, chdir: @folder, out: input, err: input)
    input.close
    lines = []
    Timeout.timeout(Support::PATIENCE) do
      until lines.last&.include?(says)
        lines << (output.gets or flunk "#{command.first} ended:\n#{lines.join}")
      end
    end
    # A full pipe would block it.
    Thread.new { output.each_line { nil } }
  end

  def start_nginx
    port = Support.free_port
    block = block("nginx", "auth_request").gsub("127.0.0.1:8080", "127.0.0.1:#{@server.port}")
    temporary = %w[client_body proxy fastcgi uwsgi scgi].map { |name| "#{name}_temp_path #{@folder}/#{name};" }.join("\n")
    write "nginx.conf", <<~NGINX
      daemon off; master_process off; pid #{@folder}/nginx.pid; error_log stderr notice;
      events {}
      http {
        access_log off;
        #{temporary}
        server {
          listen 127.0.0.1:#{port};
          #{block}
          location / { proxy_pass http://127.0.0.1:#{@app_port}; }
        }
      }
    NGINX
    start("nginx", "-p", @folder, "-c", "#{@folder}/nginx.conf", "-e", "stderr", says: "event method")
    port
  end
end
