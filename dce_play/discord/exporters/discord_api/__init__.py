"""Our own exporter: Discord's REST API in, files as DiscordChatExporter 2.46 writes them out."""
