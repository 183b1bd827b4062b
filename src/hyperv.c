/*
 * Hyper-V's interface of a machine that does not run (--info): devices connect, and nothing comes.
 */
#include "src/hyperv.h"

static int no_sint(struct hyperv *h, unsigned vcpu, unsigned sint)
{
    (void)h, (void)vcpu, (void)sint;
    return 0;
}

static int no_messages(struct hyperv *h, unsigned conn, unsigned vcpu, unsigned sint)
{
    (void)h, (void)conn, (void)vcpu, (void)sint;
    return 0;
}

static int no_events(struct hyperv *h, unsigned conn, unsigned vcpu, unsigned sint, unsigned flag)
{
    (void)h, (void)conn, (void)vcpu, (void)sint, (void)flag;
    return 0;
}

static int no_disconnect(struct hyperv *h, unsigned conn)
{
    (void)h, (void)conn;
    return 0;
}

void hyperv_init_idle(struct hyperv *h)
{
    *h = (struct hyperv){
        .connect_sint = no_sint,
        .disconnect_sint = no_sint,
        .raise_sint = no_sint,
        .connect_messages = no_messages,
        .connect_events = no_events,
        .disconnect = no_disconnect,
    };
}
