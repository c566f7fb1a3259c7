# frozen_string_literal: true

class PagesController < ApplicationController
  # What is committed and broadcast after the request began belongs to the page's replay.
  before_action { ActionCable.server.broadcast("messages", "while it was rendered") }

  def show
  end
end
