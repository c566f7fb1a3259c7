# frozen_string_literal: true

require_relative "support"

require "open3"
require "rubygems/package"

# The gem as it is published.
class GemTest < Minitest::Test
  ROOT = File.expand_path("..", __dir__)

  def test_it_builds_without_a_warning_and_has_all_files
    Dir.mktmpdir do |folder|
      gem = File.join(folder, "forebay-rails.gem")
      said, status = Open3.capture2e("gem", "build", "forebay-rails.gemspec", "--output", gem, chdir: ROOT)
      assert_predicate status, :success?, said
      # The project has no address yet; the second line says where warnings are explained.
      warnings = said.lines.grep(/WARNING/).grep_v(/no homepage specified|See https/)
      assert_empty warnings
      package = Gem::Package.new(gem)
      libraries = Dir.chdir(ROOT) { Dir["lib/**/*.rb"] }
      assert_equal (libraries + %w[LICENSE-APACHE LICENSE-MIT README.md]).sort, package.contents.sort
    end
  end

  def test_it_is_loaded_by_its_own_name
    said, status = Open3.capture2e("ruby", "-w", "-Ilib", "-e", 'require "forebay-rails"; print Forebay::Rails::VERSION', chdir: ROOT)
    assert_predicate status, :success?, said
    own = said.lines.grep(/forebay/).grep(/warn/)
    assert_empty own
  end

  def test_its_version_is_the_servers
    assert_equal File.read(File.join(ROOT, "../../Cargo.toml"))[/^version = "(.+)"/, 1], Forebay::Rails::VERSION
  end
end
