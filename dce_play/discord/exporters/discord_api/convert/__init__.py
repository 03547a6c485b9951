"""What Discord says, made into what DiscordChatExporter writes: messages, people, emoji, times, and the JSON itself."""
