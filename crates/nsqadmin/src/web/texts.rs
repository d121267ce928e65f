//! All that pages say, in every language: one line has both.

use super::language::Language::{self, Chinese, English};

macro_rules! texts {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        impl Language {
            $(pub(super) const fn $name(self) -> &'static str {
                match self { English => $english, Chinese => $chinese }
            })*
        }
    };
}

/// With what stands in the braces.
macro_rules! sentences {
    ($($name:ident($($part:ident: $kind:ty),+): $english:literal, $chinese:literal;)*) => {
        impl Language {
            $(pub(super) fn $name(self, $($part: $kind),+) -> String {
                match self { English => format!($english), Chinese => format!($chinese) }
            })*
        }
    };
}

texts! {
    skip_to_content: "Skip to content", "跳到正文";
    main_navigation: "Main", "主导航";
    topics: "Topics", "主题";
    nodes: "Nodes", "节点";
    counter: "Counter", "计数器";
    lookup: "Lookup", "查找";
    documentation: "Documentation", "文档";
    light_or_dark: "Light or dark", "浅色或深色";
    live: "Live", "实时";
    live_updates_stopped: "Stopped", "已停止";
    not_up_to_date: "This page is not up to date:", "此页面不是最新的：";
    nsqadmin_is_silent: "nsqadmin does not answer.", "nsqadmin 没有响应。";
    without_scripting:
        "Scripting is off: reload the page to see what is new.",
        "脚本已关闭：请刷新页面查看最新内容。";
    are_you_sure: "Are you sure?", "确定吗？";
    cancel: "Cancel", "取消";
    yes: "Yes, do it", "是的，执行";
    some_did_not_answer:
        "Not everybody answered, so figures may be missing.",
        "并非所有节点都有响应，数据可能不完整。";
    back_to_topics: "Back to all topics", "返回所有主题";
    history: "History", "历史";
    messages_per_second: "Messages/s", "消息/秒";
    depth: "Depth", "深度";
    in_flight: "In flight", "投递中";
    deferred: "Deferred", "延迟";
    requeues_per_second: "Requeues/s", "重新入队/秒";
    timeouts_per_second: "Time-outs/s", "超时/秒";
    requeued: "Requeued", "重新入队";
    timed_out: "Timed out", "超时";
    unknown: "unknown", "未知";
    search: "Search", "搜索";
    pages: "Pages", "分页";
    previous: "Previous", "上一页";
    next: "Next", "下一页";
    health: "Health", "健康状况";
    all_is_well: "All is well.", "一切正常。";
    problem: "Problem", "问题";
    warning: "Warning", "警告";
    notice: "Notice", "提示";
    since: "since", "开始于";
    topic: "Topic", "主题";
    channel: "Channel", "通道";
    channels: "Channels", "通道";
    node: "Node", "节点";
    messages: "Messages", "消息";
    consumers: "Consumers", "消费者";
    paused: "paused", "已暂停";
    ephemeral: "ephemeral", "临时";
    search_topics: "Search topics", "搜索主题";
    search_channels: "Search channels", "搜索通道";
    search_clients: "Search consumers", "搜索消费者";
    search_nodes: "Search nodes", "搜索节点";
    no_topics: "There are no topics. The first message to one creates it.", "还没有主题。发布第一条消息即会创建。";
    nothing_matches: "Nothing matches.", "没有匹配项。";
    first_look_comes: "The first look at the cluster is on its way.", "正在首次查看集群。";
    as_of: "As of", "数据时间";
    on_no_node: "on no node at the last look", "上次查看时不在任何节点上";
    graphs: "Graphs", "图表";
    show: "Show", "显示";
    off: "off", "关闭";
    memory: "Memory", "内存";
    collector_pauses: "Pauses of the garbage collector", "垃圾回收暂停";
    collector_runs: "Runs of the garbage collector", "垃圾回收次数";
    heap_objects: "Objects on the heap", "堆对象";
    all_channels: "all channels", "所有通道";
    topic_queue: "Topic message queue", "主题消息队列";
    channel_queues: "Channel message queues", "通道消息队列";
    channel_queue: "Channel message queue", "通道消息队列";
    message_queues: "Message queues", "消息队列";
    statistics: "Statistics", "统计";
    latency: "Time from publish to FIN", "从发布到完成的时间";
    latency_explained:
        "Time from publish to FIN: mean of all nodes, weighted by count",
        "从发布到完成的时间：所有节点按数量加权的平均值";
    nsqd_host: "nsqd host", "nsqd 主机";
    memory_and_disk: "Memory + disk", "内存 + 磁盘";
    actions: "Actions", "操作";
    total: "Total", "合计";
    no_nodes_of_topic: "No nsqd serves this topic.", "没有 nsqd 提供此主题。";
    no_nodes_of_channel: "No nsqd serves this channel.", "没有 nsqd 提供此通道。";
    no_channels:
        "There are no channels: messages wait in the topic until there is one.",
        "没有通道：消息会在主题中等待，直到有通道为止。";
    pause_topic: "Pause topic", "暂停主题";
    unpause_topic: "Unpause topic", "恢复主题";
    empty_queue: "Empty queue", "清空队列";
    delete_topic: "Delete topic", "删除主题";
    pause_channel: "Pause channel", "暂停通道";
    unpause_channel: "Unpause channel", "恢复通道";
    delete_channel: "Delete channel", "删除通道";
    tombstone: "Tombstone", "标记墓碑";
    publish_message: "Publish a test message", "发布测试消息";
    body: "Body", "正文";
    publish: "Publish", "发布";
    tail: "Tail", "实时查看消息";
    start_tail: "Watch messages as they come", "实时查看到达的消息";
    tail_explained:
        "Shows messages as they come, through a channel of its own that goes when the page is \
         left. Other channels lose nothing.",
        "通过一个独立的临时通道显示到达的消息，离开页面后该通道即消失。其他通道不会丢失任何消息。";
    tail_needs_scripting: "This page needs scripting.", "此页面需要启用脚本。";
    tail_ended: "The tail has ended. Reload the page to go on.", "查看已结束。刷新页面可继续。";
    tail_skipped: "Not shown, as they are too many:", "因数量过多而未显示：";
    attempts: "attempts:", "尝试次数：";
    in_base64: "no text, in base64", "非文本，以 base64 显示";
    only_its_beginning: "only its beginning", "仅显示开头";
    tail_waits: "Waiting for messages.", "正在等待消息。";
    way_here: "Breadcrumb", "路径";
    client_connections: "Client connections", "客户端连接";
    no_clients: "No clients are connected to this channel.", "没有客户端连接到此通道。";
    client_host: "Client host", "客户端主机";
    user_agent: "User agent", "用户代理";
    attributes: "Attributes", "属性";
    ready_count: "Ready count", "就绪数";
    finished: "Finished", "已完成";
    connected: "Connected", "连接时长";
    connections: "Connections", "连接数";
    authenticated: "Authenticated", "已认证";
    nsqd_nodes: "nsqd nodes", "nsqd 节点";
    no_nodes: "There are no nodes.", "没有节点。";
    hostname: "Hostname", "主机名";
    broadcast_address: "Broadcast address", "广播地址";
    tcp_port: "TCP port", "TCP 端口";
    http_port: "HTTP port", "HTTP 端口";
    version: "Version", "版本";
    out_of_date: "out of date", "版本过旧";
    lookupd_connections: "nsqlookupd connections", "nsqlookupd 连接";
    state: "State", "状态";
    unreachable: "unreachable", "无法访问";
    tombstoned: "tombstoned", "已标记墓碑";
    no_topics_of_node: "This node has no topics.", "此节点没有主题。";
    messages_processed: "Messages processed", "已处理的消息";
    lookupd_hosts: "nsqlookupd hosts", "nsqlookupd 主机";
    inactive_topics: "Inactive topics", "不活跃的主题";
    no_inactive_topics: "There are no inactive topics.", "没有不活跃的主题。";
    no_lookupds: "nsqadmin was given no nsqlookupd to ask.", "未给 nsqadmin 配置 nsqlookupd。";
    create_topic_or_channel: "Create a topic or channel", "创建主题或通道";
    channel_optional: "Channel (optional)", "通道（可选）";
    create: "Create", "创建";
    name_rule:
        "1 to 64 of . a-z A-Z 0-9 _ -, perhaps with #ephemeral behind",
        "1 到 64 个字符：. a-z A-Z 0-9 _ -，可加后缀 #ephemeral";
    created: "Created.", "已创建。";
    was_paused: "Paused.", "已暂停。";
    was_unpaused: "Unpaused.", "已恢复。";
    was_emptied: "Emptied.", "已清空。";
    was_deleted: "Deleted.", "已删除。";
    was_tombstoned: "Tombstoned.", "已标记墓碑。";
    was_published: "Published.", "已发布。";
    partly_done: "Done, but not everywhere", "已执行，但并非所有节点都成功";
    go_on: "Go on", "继续";
}

sentences! {
    graph_of(figure: &str, subject: &str, span: &str):
        "{figure} of {subject}, last {span}", "{subject} 的{figure}，最近 {span}";
    asks_nsqds(count: usize): "Asks {count} nsqd directly.", "直接查询 {count} 个 nsqd。";
    asks_lookupds(count: usize): "Asks {count} nsqlookupd.", "查询 {count} 个 nsqlookupd。";
    chart_label(title: &str, newest: &str, highest: &str):
        "{title}: now {newest}, at most {highest}", "{title}：当前 {newest}，最高 {highest}";
    rows_of(from: &str, to: &str, total: &str):
        "{from} to {to} of {total}",
        "第 {from} 至 {to} 项，共 {total} 项";
    out_of(count: usize): "of {count}", "/ {count}";
    sampled(percent: i32): "Sampled {percent}%", "采样 {percent}%";
    and_others(count: &str): "and {count} others", "以及另外 {count} 个";
    more_findings(count: &str): "And {count} more.", "还有 {count} 项。";
    node_unreachable(reason: &str): "cannot be reached: {reason}", "无法访问：{reason}";
    node_unhealthy(says: &str): "is not well: {says}", "状态异常：{says}";
    node_gone(unseen: &str): "has gone, unseen for {unseen}", "已消失，{unseen} 未见";
    lookupd_unreachable(reason: &str):
        "nsqlookupd does not answer: {reason}",
        "nsqlookupd 无响应：{reason}";
    growing_depth(from: &str, to: &str, over: &str):
        "depth grows: from {from} to {to} within {over}", "深度增长：{over} 内从 {from} 增至 {to}";
    no_consumers(depth: &str): "no consumers, messages that wait: {depth}", "没有消费者，{depth} 条消息等待中";
    no_channel(depth: &str): "no channel, messages that wait: {depth}", "没有通道，{depth} 条消息等待中";
    is_paused(depth: &str): "is paused, messages that wait: {depth}", "已暂停，{depth} 条消息等待中";
    version_mix(list: &str): "versions differ: {list}", "版本不一致：{list}";
    pause_topic_question(name: &str):
        "Pause topic {name}? Its channels get no more messages until it is unpaused; publishing \
         goes on.",
        "暂停主题 {name}？恢复之前其通道不再收到消息，但仍可发布。";
    empty_topic_question(name: &str):
        "Empty topic {name}? The messages that wait in the topic itself are lost on all nodes.",
        "清空主题 {name}？在所有节点上，主题中等待的消息都将丢失。";
    delete_topic_question(name: &str):
        "Delete topic {name}? It goes from all nodes, with all its channels and messages.",
        "删除主题 {name}？它将连同所有通道和消息从所有节点上删除。";
    pause_channel_question(name: &str):
        "Pause channel {name}? Its consumers get no more messages until it is unpaused.",
        "暂停通道 {name}？恢复之前其消费者不再收到消息。";
    empty_channel_question(name: &str):
        "Empty channel {name}? All its messages are lost on all nodes.",
        "清空通道 {name}？在所有节点上，其所有消息都将丢失。";
    delete_channel_question(name: &str):
        "Delete channel {name}? It goes from all nodes, with all its messages; its consumers are \
         disconnected.",
        "删除通道 {name}？它将连同所有消息从所有节点上删除，其消费者将被断开。";
    tombstone_question(topic: &str, node: &str):
        "Tombstone {node} for topic {topic}? Consumers no longer find it there, and the topic is \
         deleted on that node with all its messages.",
        "为主题 {topic} 将 {node} 标记墓碑？消费者将不再在该节点找到它，且该主题及其所有消息将从该节点删除。";
}

impl Language {
    /// What a code of the API means to somebody who reads pages.
    pub(super) fn failure(self, message: &str) -> &'static str {
        let (english, chinese) = match message {
            "TOPIC_NOT_FOUND" => ("There is no such topic", "没有此主题"),
            "CHANNEL_NOT_FOUND" => ("There is no such channel", "没有此通道"),
            "NODE_NOT_FOUND" => ("There is no such node", "没有此节点"),
            "FORBIDDEN" => ("You may not do this", "您无权执行此操作"),
            "INVALID_TOPIC" => ("This is no name for a topic", "主题名称无效"),
            "INVALID_CHANNEL" => ("This is no name for a channel", "通道名称无效"),
            message if message.starts_with("UPSTREAM_ERROR") => {
                ("Nobody answered", "没有任何节点响应")
            }
            _ => ("This did not work", "操作失败"),
        };
        match self {
            English => english,
            Chinese => chinese,
        }
    }
}
